/*
 * Loaded by each Node first. The CDK's CLI asks every five seconds what has become of a stack; an emulator on this
 * machine has finished long before.
 */

const CDK_WAITS_MS = 5_000
const IMPATIENT_MS = 250

if (/[\\/]aws-cdk[\\/]bin[\\/]cdk$/.test(process.argv[1] ?? '')) {
  const wait = globalThis.setTimeout
  const impatient = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
    wait(callback, ms === CDK_WAITS_MS ? IMPATIENT_MS : ms, ...args)
  globalThis.setTimeout = Object.assign(impatient, wait) as typeof wait
}
