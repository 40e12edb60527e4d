import { database } from 'dray'

export const near = database('near')
