export { createMysqlAdapter } from './adapter.ts'
