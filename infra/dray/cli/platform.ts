/** Why the command does not run on a platform; null where it does. */
export function refusedPlatform(platform: NodeJS.Platform): string | null {
  if (platform !== 'win32') return null
  return 'Dray does not run on Windows itself, so nothing was done; run it in WSL: `wsl --install`, then clone the project there and `npm ci`.'
}
