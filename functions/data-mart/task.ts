import { task } from 'dray'
import { CustomerSales, TargetCustomer, TargetOrder } from '#models/warehouse.ts'
import { refreshCustomerSales } from './customer-sales.ts'

/** Brings the data mart up to date with customers and orders. */
export const updateDataMart = task('data-mart', ({ signal }) => refreshCustomerSales(signal), {
  reads: [TargetCustomer, TargetOrder],
  writes: [CustomerSales],
})
