import { createWriteStream, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** As long as what else is left of runs. */
const KEEP_MS = 30 * 24 * 3600 * 1000

export interface RunLog {
  write(line: string): void
  /** Resolves when everything is written. */
  end(): Promise<void>
}

/** A log that cannot be written, say since the disk is full, is no reason to end a run: `note` is called once. */
export function openLog(file: string, note: (text: string) => void): RunLog {
  const stream = createWriteStream(file, { mode: 0o600 })
  const closed = new Promise<void>((resolve) => stream.once('close', resolve))
  let lost = false
  stream.on('error', ({ message }) => {
    if (!lost) note(`The log ${file} is not written any more (${message}); the run does not need it.`)
    lost = true
  })
  return {
    write(line) {
      if (!lost) stream.write(`${line}\n`)
    },
    end() {
      stream.end()
      return closed
    },
  }
}

/** Removes the logs of runs that nothing was written to for thirty days; the folder is that of the logs. */
export function pruneLogs(folder: string, now: number = Date.now()): void {
  for (const name of readdirSync(folder)) {
    if (!/^\d{4}-.*\.jsonl$/.test(name)) continue
    const file = join(folder, name)
    const writtenAt = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? now
    if (now - writtenAt > KEEP_MS) rmSync(file, { force: true })
  }
}
