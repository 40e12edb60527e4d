export { createSqliteAdapter } from './adapter.ts'
