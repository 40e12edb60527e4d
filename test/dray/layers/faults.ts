import { type Import, root } from './imports.ts'
import { ASSEMBLING, implementations, reserved, rooms } from './rooms.ts'

/** The face of the framework: all that a user's file may import of it. */
const FACES: ReadonlySet<string> = new Set([
  'dray',
  'dray/workflow',
  'dray/lambda',
  'dray/cleaning',
  'dray-infra',
  'dray-infra/testing',
])

/** A folder named `dray` is the framework's, everything else the user's. */
export function isFramework(file: string): boolean {
  return file.split('/').slice(0, -1).includes('dray')
}

/** `dray/database`, `dray/pipeline/plan`, `dray-infra/cli`; null for files outside of the packages. */
export function roomOf(file: string): string | null {
  const [owner, folder, room = '', part, ...below] = file.split('/')
  if (folder !== 'dray' || (owner !== 'shared' && owner !== 'infra')) return null
  const name = owner === 'shared' ? 'dray' : 'dray-infra'
  return room === 'pipeline' && below.length > 0 ? `${name}/${room}/${part}` : `${name}/${room}`
}

/** Imports that go where the list of layers has no arrow. */
export function upward(imports: readonly Import[]): string[] {
  return imports.flatMap(({ file, target }) => {
    const [from, to] = [roomOf(file), target === null ? null : roomOf(target)]
    if (from === null || to === null || from === to || rooms[from]?.includes(to)) return []
    return [`${file} imports ${target}: ${from} may not import ${to}`]
  })
}

/** Imports of what stands behind a contract, in rooms that are to know the contract alone. */
export function behindContracts(imports: readonly Import[]): string[] {
  return imports.flatMap(({ file, target }) => {
    const room = roomOf(file)
    if (room === null || target === null || !implementations.test(target) || ASSEMBLING.test(room)) return []
    return [`${file} imports ${target}: only what puts the parts together knows an implementation`]
  })
}

/** Packages in rooms that are not to know them. */
export function misplaced(imports: readonly Import[]): string[] {
  return imports.flatMap(({ file, source }) => {
    const room = roomOf(file)
    if (room === null) return []
    return reserved
      .filter(({ packages, rooms: allowed }) => packages.test(source) && !allowed.test(room))
      .map(({ why }) => `${file} imports ${source}: ${why}`)
  })
}

/** Imports across the border of the two owners. */
export function trespassing(imports: readonly Import[]): string[] {
  return imports.flatMap(({ file, source, target }) => {
    if (isFramework(file)) {
      const leads = target !== null && !isFramework(target) && !file.startsWith('test/dray/')
      return leads ? [`${file} imports ${source}, which is the user's`] : []
    }
    const isTheirs = (target !== null && isFramework(target)) || /^dray(-infra)?(\/|$)/.test(source)
    if (!isTheirs || FACES.has(source)) return []
    return [`${file} imports ${source}: of the framework there are ${[...FACES].join(', ')}`]
  })
}

/** Imports that lead to no file. */
export function dangling(imports: readonly Import[], files: ReadonlySet<string>): string[] {
  return imports.flatMap(({ file, source, target }) =>
    target === null || files.has(target) || !/\.tsx?$/.test(target)
      ? []
      : [`${file} imports ${source}, which is no file of ${root}`],
  )
}

/** Files that import each other in a loop, each loop once. */
export function circles(imports: readonly Import[]): string[][] {
  const targets = Map.groupBy(imports, ({ file }) => file)
  const found: string[][] = []
  const done = new Set<string>()
  const path: string[] = []
  function walk(file: string): void {
    const place = path.indexOf(file)
    if (place >= 0) found.push([...path.slice(place), file])
    if (place >= 0 || done.has(file)) return
    path.push(file)
    for (const { target } of targets.get(file) ?? []) if (target !== null) walk(target)
    path.pop()
    done.add(file)
  }
  for (const file of targets.keys()) walk(file)
  return found
}
