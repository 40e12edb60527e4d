/** What a server that restarts or fails over answers, and one behind a network that comes up: nothing, or a refusal. */
const AWAY = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', 'EPIPE'])

/**
 * Whether a server that this process has never reached may be back in a moment. A Lambda begins at any time, that of a
 * failover as well, so there it may; on a laptop it is one that is not there, and to wait would only hide that.
 */
export function mayComeBack(code: string): boolean {
  return process.env.AWS_LAMBDA_FUNCTION_NAME !== undefined && AWAY.has(code)
}
