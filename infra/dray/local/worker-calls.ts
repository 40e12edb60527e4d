import { parentPort } from 'node:worker_threads'
import { answering } from './handler-calls.ts'

const answer = answering((message) => parentPort?.postMessage(message))
parentPort?.on('message', answer)
