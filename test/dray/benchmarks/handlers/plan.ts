import { planHandler } from 'dray/internal/lambda/index.ts'
import { findOrders } from '../order-pipelines.ts'

export const handler = planHandler(findOrders)
