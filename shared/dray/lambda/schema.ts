import { Logger } from '@aws-lambda-powertools/logger'
import middy from '@middy/core'
import { withDeadline } from '#dray/database/deadline.ts'
import { type SchemaInput, type SchemaOutput, schemaInput } from '#dray/messages/schema.ts'
import { fitSchema } from '#dray/pipeline/inspect/fit-schema.ts'
import { resolveDatabaseSecrets } from './database-secrets.ts'
import { useDatabaseTokens } from './database-tokens.ts'
import { deadlineOf, type HandlerContext } from './deadline.ts'
import type { Handler } from './handler.ts'
import { withInput } from './with-input.ts'
import { withLogging } from './with-logging.ts'
import { withNamedErrors } from './with-named-errors.ts'

useDatabaseTokens()

const logger = new Logger({ serviceName: 'dray' })

/** The Lambda that looks at the tables of targets for `dray schema`, and changes them when it is asked to. */
export function schemaHandler(): Handler<SchemaInput, SchemaOutput> {
  return middy()
    .use(withLogging(logger, 'schema'))
    .use(withNamedErrors())
    .use(withInput('schema', schemaInput, 'call it with: npx dray schema plan --env <environment>'))
    .handler((event, context) => fit(event as SchemaInput, context as HandlerContext)) as unknown as Handler<
    SchemaInput,
    SchemaOutput
  >
}

async function fit(input: SchemaInput, context: HandlerContext): Promise<SchemaOutput> {
  await resolveDatabaseSecrets()
  return withDeadline(deadlineOf(context), () => fitSchema(input))
}
