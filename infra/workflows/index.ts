import type { Workflow } from '#shared/workflow/index.ts'
import { dailyDataWarehouseUpdate } from './daily-data-warehouse-update.ts'

/** Every workflow there is: what the command offers and the stack deploys. */
export const workflows: readonly Workflow[] = [dailyDataWarehouseUpdate]
