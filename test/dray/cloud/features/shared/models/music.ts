import { database } from 'dray'

export const music = database('music')
