import { run, workflow } from 'dray/workflow'
import { copies } from '#functions/copies/pipeline.ts'
import { customers } from '#functions/customers/pipeline.ts'
import { events } from '#functions/events/pipeline.ts'
import { firstContacts } from '#functions/first-contacts/pipeline.ts'
import { knownContacts } from '#functions/known-contacts/pipeline.ts'
import { lines } from '#functions/lines/pipeline.ts'
import { orders } from '#functions/orders/pipeline.ts'
import { payments } from '#functions/payments/pipeline.ts'
import { prices } from '#functions/prices/pipeline.ts'
import { readings } from '#functions/readings/pipeline.ts'

const pipelines = [orders, customers, payments, firstContacts, knownContacts, events, readings, lines, prices]

export const loads = workflow('loads', { steps: pipelines.map((one) => run(one)) })

export const copied = workflow('copied', { steps: [run(copies)] })
