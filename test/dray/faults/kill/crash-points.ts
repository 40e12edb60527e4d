import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { StagedContent, StagingStore } from 'dray/internal/staging/staging-store.ts'
import type { StateStore } from 'dray/internal/state/state-store.ts'

/** Called at each point of a run at which its process may end. */
export type At = (point: string) => void

/**
 * Numbers the points, tells of each, and at the point `last` ends the process as a lost machine would: by SIGKILL, in
 * the middle of it. `from` is a pattern: the first point that meets it is number 1 then.
 */
export function crashPoints(last: number | null, from: string, tell: (point: string) => void): At {
  let count = 0
  const first = new RegExp(from)
  return (point) => {
    tell(point)
    if (count === 0 && !first.test(point)) return
    count += 1
    if (count !== last) return
    writeSync(1, `${point}\n`)
    process.kill(process.pid, 'SIGKILL')
  }
}

/** A point before and after each call of the state store. */
export function withPointsInState(state: StateStore, at: At): StateStore {
  return new Proxy(state, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown
      if (typeof member !== 'function') return member
      return async (...parameters: unknown[]) => {
        at(`state.${String(name)} starts`)
        const result = await Reflect.apply(member, target, parameters)
        at(`state.${String(name)} ends`)
        return result
      }
    },
  })
}

/** A point before and after each object, and between its blocks. */
export function withPointsInStaging(staging: StagingStore, at: At): StagingStore {
  async function* blocksOf<B>(blocks: AsyncIterable<B> | Iterable<B>, what: string): AsyncGenerator<B> {
    for await (const block of blocks) {
      yield block
      at(`${what}: a block has passed`)
    }
  }
  return {
    async write(prefix, header, blocks, options) {
      const what = `staging.write ${kindOf(prefix)}`
      at(`${what} starts`)
      const object = await staging.write(prefix, header, blocksOf(blocks, what), options)
      at(`${what} ends`)
      return object
    },
    async read(object, options): Promise<StagedContent> {
      const what = `staging.read ${kindOf(object.key)}`
      at(`${what} starts`)
      const content = await staging.read(object, options)
      return { ...content, blocks: blocksOf(content.blocks, what) }
    },
    open: (key, options) => staging.open(key, options),
    list: (prefix, options) => staging.list(prefix, options),
    remove: (key, options) => staging.remove(key, options),
    locate: (prefix) => staging.locate(prefix),
  }
}

/** `extracted`, `transformed`, `plan`, `quarantine`: keys have a run's id and an attempt's in them. */
function kindOf(key: string): string {
  return (
    /^(quarantine|findings)\//.exec(key)?.[1] ?? /\/_(plan|extracted|transformed)(?:\/|$)/.exec(key)?.[1] ?? 'object'
  )
}

type Write = (this: Socket, ...parameters: unknown[]) => void

/**
 * A point before each request to a server is sent, after it was (its reply has not come), and when a reply comes:
 * whatever the adapters send within a merge or a COPY, from below the drivers.
 */
export function putPointsInSockets(nameOf: (port: number) => string | undefined, at: At): void {
  const prototype = Socket.prototype as unknown as Record<'connect' | '_write' | '_writev' | 'push', Write>
  const names = new WeakMap<Socket, string>()
  const { connect, _write: write, _writev: writev, push } = prototype
  prototype.connect = function (...parameters) {
    const name = nameOf(portIn(parameters))
    if (name !== undefined) names.set(this, name)
    return Reflect.apply(connect, this, parameters)
  }
  const sending = (send: Write): Write =>
    function (...parameters) {
      const name = names.get(this)
      if (name === undefined || this.connecting) return Reflect.apply(send, this, parameters)
      const what = wordsIn(parameters[0])
      at(`${name} is sent ${what}`)
      Reflect.apply(send, this, parameters)
      at(`${name} was sent ${what}`)
    }
  prototype._write = sending(write)
  prototype._writev = sending(writev)
  prototype.push = function (...parameters) {
    const name = names.get(this)
    if (name !== undefined && parameters[0] !== null) at(`${name} answers`)
    return Reflect.apply(push, this, parameters)
  }
}

function portIn(parameters: readonly unknown[]): number {
  const [first] = parameters.flat(2) as readonly (number | { readonly port?: number } | null)[]
  return Number(typeof first === 'object' ? first?.port : first)
}

/** The start of a statement as far as it can be read: what the point is called. */
function wordsIn(data: unknown): string {
  const [first] = Array.isArray(data) ? (data as { chunk: unknown }[]).map(({ chunk }) => chunk) : [data]
  const text = typeof first === 'string' ? first : Buffer.isBuffer(first) ? first.toString('latin1', 0, 200) : ''
  return (
    /[A-Za-z]{3,}[ -~]*/
      .exec(text)?.[0]
      .replaceAll(/[0-9a-f]{12}|\d+/g, '#')
      .slice(0, 40) ?? 'bytes'
  )
}
