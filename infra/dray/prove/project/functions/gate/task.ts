import { setTimeout as delay } from 'node:timers/promises'
import { task } from 'dray'
import { Gate } from '#models/prove-target.ts'

const LOOK_EVERY_MS = 1_000

/** Holds a run until the gate is open, so that something can happen during it. */
export const waitForGate = task(
  'gate',
  async () => {
    while ((await Gate.where({ isOpen: 1 }).count()) === 0) await delay(LOOK_EVERY_MS)
    return { read: 1 }
  },
  { reads: [Gate] },
)
