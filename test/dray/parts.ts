/** The parts of `npm run test:long`, each of which ends within 20 minutes on two processors. */
export const longParts: Readonly<Record<string, readonly string[]>> = {
  simulation: ['test/dray/faults/simulation/simulation.test.ts', 'test/dray/faults/simulation/crash-points.test.ts'],
  mutants: ['test/dray/faults/simulation/mutants.test.ts'],
  'kills-postgres': ['test/dray/faults/kill/kill-postgres.test.ts'],
  'kills-mariadb': ['test/dray/faults/kill/kill-mariadb.test.ts'],
  'project-replaced': ['test/dray/projects/replaced.long.ts'],
  'project-grown': ['test/dray/projects/grown.long.ts'],
}
