import { readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Ended, startDray } from '#test/cli/dray-process.ts'
import type { Random } from '../simulation/random.ts'
import type { World } from './world.ts'

const DAY_MS = 24 * 3600 * 1000
/** Nothing that a command waits for takes so long. */
const LIMIT_MS = 120_000
/** Before its first and behind its last word a command does not listen to them: a shell says 130 or 143 of it then. */
const SENT: ReadonlySet<NodeJS.Signals | null> = new Set(['SIGKILL', 'SIGINT', 'SIGTERM'])
const clock = join(import.meta.dirname, 'shifted-clock.ts')

/** Folders of two state stores that load one target, the first on a disk that can be filled where there is one. */
export interface Stage {
  readonly world: World
  readonly random: Random
  readonly homes: readonly [string, string]
  /** Where the first home is; null where no disk of a given size can be had. */
  readonly disk: string | null
  /** How long a run usually takes, in ms. */
  readonly usual: number
}

/** What has happened. */
export interface Happened {
  readonly kills: number
  /** The home whose command was hit first: the next run is there. */
  readonly home: string
  readonly story: string
}

export type Fault = (stage: Stage) => Promise<Happened>

/** A command that somebody does something to. */
class Victim {
  readonly #run: ReturnType<typeof startDray>
  readonly home: string
  kills = 0

  constructor({ world }: Stage, home: string, environment: NodeJS.ProcessEnv = {}) {
    this.home = home
    this.#run = startDray(home, ['run', 'nightly', '--progress', 'log'], { ...world.environment, ...environment })
  }

  get #hasEnded(): boolean {
    return this.#run.child.exitCode !== null || this.#run.child.signalCode !== null
  }

  send(signal: NodeJS.Signals): void {
    if (!this.#hasEnded && this.#run.child.kill(signal) && signal !== 'SIGSTOP' && signal !== 'SIGCONT') this.kills += 1
  }

  /** As when the machine loses its power: nothing of it goes on. */
  cutOff(): void {
    const services = servicesOf(this.home)
    this.send('SIGKILL')
    try {
      if (services !== null) process.kill(services, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }

  async ended(): Promise<Ended> {
    return inTime(this.#run.ended, () => this.#run.child.kill('SIGKILL'))
  }
}

function servicesOf(home: string): number | null {
  try {
    return JSON.parse(readFileSync(join(home, 'services.json'), 'utf8')).pid
  } catch {
    return null
  }
}

async function inTime(ending: Promise<Ended>, giveUp: () => void): Promise<Ended> {
  const patience = setTimeout(giveUp, LIMIT_MS)
  const ended = await ending
  clearTimeout(patience)
  const { code, signal, stdout, stderr } = ended
  if (code === null && !SENT.has(signal)) throw new Error(`a command ended by ${signal}:\n${stderr}`)
  if (/^\s+at .+:\d+:\d+\)?$/m.test(stdout + stderr)) throw new Error(`a command crashed:\n${stdout}${stderr}`)
  return ended
}

/** `dray run` that nothing befalls. */
export async function plainRun({ world }: Pick<Stage, 'world'>, home: string): Promise<Ended> {
  const { child, ended } = startDray(home, ['run', 'nightly', '--progress', 'log'], world.environment)
  return inTime(ended, () => child.kill('SIGKILL'))
}

/** Some moment of a run, which begins when Node has started and ends before its services do. */
function moment({ random, usual }: Stage): number {
  return Math.round(usual * (0.15 + 0.7 * random.fraction()))
}

function lethal({ random }: Stage): NodeJS.Signals {
  return random.pick(['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT'])
}

async function tell(victims: readonly Victim[], home: string, story: string): Promise<Happened> {
  const ends = []
  for (const victim of victims) {
    const { code, signal } = await victim.ended()
    ends.push(signal ?? code)
  }
  const kills = victims.reduce((sum, victim) => sum + victim.kills, 0)
  return { kills, home, story: `${story}, ended by ${ends.join(' and ')}` }
}

const killed: Fault = async (stage) => {
  const [home] = stage.homes
  const [after, signal] = [moment(stage), lethal(stage)]
  const victim = new Victim(stage, home)
  await delay(after / 2)
  await stage.world.change({ duringRun: true })
  await delay(after / 2)
  victim.send(signal)
  return tell([victim], home, `${signal} after ${after} ms`)
}

const cutOff: Fault = async (stage) => {
  const [home] = stage.homes
  const after = moment(stage)
  const victim = new Victim(stage, home)
  await delay(after)
  victim.cutOff()
  return tell([victim], home, `${after} ms, then the command and its services killed`)
}

/** One of the second store begins while one of the first is at work, or stands still; one of them is killed. */
const twoStores: Fault = async (stage) => {
  const { random, homes, world } = stage
  const [home, other] = random.chance(0.5) ? homes : ([homes[1], homes[0]] as const)
  const [after, between, signal] = [moment(stage), moment(stage), lethal(stage)]
  const [isHeld, isFirst] = [random.chance(0.5), random.chance(0.5)]
  const first = new Victim(stage, home)
  await delay(after)
  if (isHeld) first.send('SIGSTOP')
  const second = new Victim(stage, other)
  await delay(between)
  if (!isHeld || !isFirst) (isFirst ? first : second).send(signal)
  await second.ended()
  first.send('SIGCONT')
  if (isHeld) await world.change({ duringRun: true })
  if (isHeld && isFirst) first.send(signal)
  const story = `two stores: the first ${isHeld ? 'stopped' : 'goes on'} after ${after} ms, ${signal} to the ${isFirst ? 'first' : 'second'} after ${between} ms`
  return tell([first, second], home, story)
}

/** Two commands of one store at once, one of them by a clock that is wrong every other time. */
const twoCommands: Fault = async (stage) => {
  const [home] = stage.homes
  const [after, between, signal] = [moment(stage), moment(stage), lethal(stage)]
  const shifted = stage.random.chance(0.5) ? shiftedClock(stage) : { environment: {}, story: 'right' }
  const first = new Victim(stage, home)
  await delay(after)
  const second = new Victim(stage, home, shifted.environment)
  await delay(between)
  const hit = stage.random.chance(0.5) ? first : second
  hit.send(signal)
  const story = `a second command after ${after} ms, its clock ${shifted.story}, ${signal} to the ${hit === first ? 'first' : 'second'} ${between} ms later`
  return tell([first, second], home, story)
}

function shiftedClock(stage: Stage): { readonly environment: NodeJS.ProcessEnv; readonly story: string } {
  const days = stage.random.pick([40, -40])
  const after = stage.random.chance(0.5) ? 0 : moment(stage)
  return {
    environment: {
      NODE_OPTIONS: `--import=${clock}`,
      CLOCK_SHIFT_MS: String(days * DAY_MS),
      CLOCK_SHIFTS_AT: String(Date.now() + after),
    },
    story: `${days} days off after ${after} ms`,
  }
}

const clockJumps: Fault = async (stage) => {
  const [home] = stage.homes
  const { environment, story } = shiftedClock(stage)
  const signal = stage.random.chance(0.8) ? lethal(stage) : null
  const after = moment(stage)
  const victim = new Victim(stage, home, environment)
  if (signal !== null) {
    await delay(after)
    victim.send(signal)
  }
  return tell([victim], home, `a clock ${story}, ${signal === null ? 'no signal' : `${signal} after ${after} ms`}`)
}

/** The disk of staging, state and logs is full but for some KB, from the start or from a moment of the run on. */
const fullDisk: Fault = async (stage) => {
  const { random, disk, homes } = stage
  if (disk === null) return killed(stage)
  const left = random.pick([0, 4, 32, 128, 256]) * 1024
  const after = random.chance(0.5) ? 0 : moment(stage)
  const filler = join(disk, 'filler')
  const victim = after === 0 ? null : new Victim(stage, homes[0])
  await delay(after)
  fill(disk, filler, left)
  const full = victim ?? new Victim(stage, homes[0])
  const signal = random.chance(0.5) ? lethal(stage) : null
  if (signal !== null) {
    await delay(stage.usual / 2)
    full.send(signal)
  }
  try {
    return await tell([full], homes[0], `a disk of ${left} bytes after ${after} ms, ${signal ?? 'no signal'}`)
  } finally {
    await rm(filler, { force: true })
  }
}

function fill(disk: string, filler: string, left: number): void {
  const { bavail, bsize } = statfsSync(disk)
  try {
    writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - left)))
  } catch (error) {
    // The command has taken some of it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

/** Each of them comes once before any comes again. */
export const faults: readonly Fault[] = [killed, twoStores, fullDisk, clockJumps, cutOff, twoCommands]
