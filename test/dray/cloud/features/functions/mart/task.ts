import { task } from 'dray'
import { Item } from '#models/lake.ts'

export const countItems = task('mart', async () => ({ read: await Item.count() }), { reads: [Item] })
