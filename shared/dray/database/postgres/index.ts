export { createPostgresAdapter } from './adapter.ts'
