import { database } from 'dray'

export const far = database('far')
