import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own, which its tests fill. */
export interface SmallDisk {
  readonly folder: string
  resize(size: string): void
  remove(): void
}

/** Mounts a disk of such a size, `200k` say; or says why there is none. */
export function mountSmallDisk(size: string): SmallDisk | { readonly unavailable: string } {
  if (process.platform !== 'linux') return { unavailable: 'a small disk needs tmpfs, which only Linux has' }
  if (process.getuid?.() !== 0) return { unavailable: 'a small disk can be mounted by root only' }
  const folder = mkdtempSync(join(tmpdir(), 'dray-disk-'))
  try {
    mount(['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    return { unavailable: `a small disk cannot be mounted here: ${(error as Error).message.trim().split('\n').at(-1)}` }
  }
  return {
    folder,
    resize: (to) => mount(['-o', `remount,size=${to}`, folder]),
    remove() {
      execFileSync('umount', ['-l', folder], { stdio: 'pipe' })
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function mount(words: readonly string[]): void {
  execFileSync('mount', words, { stdio: 'pipe' })
}
