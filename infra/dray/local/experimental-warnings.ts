/** Keeps Node's notices on `node:sqlite` and type stripping off the terminal; other warnings are printed as ever. */
export function ignoreExperimentalWarnings(): void {
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.name}: ${warning.message}\n`)
  })
}
