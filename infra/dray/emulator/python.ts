import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigurationError } from 'dray/internal/errors.ts'

const run = promisify(execFile)

/** MIT: https://pypi.org/project/ministack */
export const EMULATOR_PACKAGES = ['ministack==1.5.33', 'cryptography==50.0.2'] as const

const MILLISECONDS = 5 * 60_000

/** The Python in a folder that `installEmulator` has made; null where not all of it is there, or in another version. */
export function installedEmulator(folder: string): string | null {
  const python = join(folder, 'bin/python')
  const libraries = join(folder, 'lib')
  if (!existsSync(python) || !existsSync(libraries)) return null
  const isWhole = readdirSync(libraries).some((version) =>
    EMULATOR_PACKAGES.every((name) => existsSync(join(libraries, version, 'site-packages', recordOf(name)))),
  )
  return isWhole ? python : null
}

/**
 * What pip writes at the end of a package:
 * https://packaging.python.org/en/latest/specifications/recording-installed-packages/
 */
function recordOf(requirement: string): string {
  return `${requirement.replace('==', '-')}.dist-info/RECORD`
}

/** Installs the emulator into a folder, beside the system, from where pip gets its packages; returns its Python. */
export async function installEmulator(folder: string): Promise<string> {
  const python = join(folder, 'bin/python')
  try {
    await run('python3', ['-m', 'venv', '--clear', folder], { timeout: MILLISECONDS })
    await run(python, ['-m', 'pip', 'install', '--quiet', ...EMULATOR_PACKAGES], { timeout: MILLISECONDS })
    return python
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw refusal(error as Error & { readonly code?: unknown; readonly stderr?: string; readonly stdout?: string })
  }
}

function refusal(error: Error & { code?: unknown; stderr?: string; stdout?: string }): ConfigurationError {
  const nothing =
    'the emulator of AWS, a package of Python, is not here and could not be installed, so nothing was deployed'
  if (error.code === 'ENOENT') {
    return new ConfigurationError(
      `There is no python3 on this machine; ${nothing}. Install Python 3.10 or newer with its venv, and run the command again.`,
      { cause: error },
    )
  }
  const said = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim().split('\n').at(-1) ?? ''
  return new ConfigurationError(
    `${said || error.message}: ${nothing}. It takes Python 3.10 or newer with venv, and ${EMULATOR_PACKAGES.join(' and ')} from where pip looks; mend that, and run the command again.`,
    { cause: error },
  )
}
