/** What the tests would install, and what it takes. */
interface Installed {
  /** As the sentence about it begins: `mariadbd is not installed`. */
  readonly missing: string
  /** What asking for it does: `installs Debian's mariadb-server`. */
  readonly does: string
  readonly isOfRoot: boolean
}

/** Where nobody else is to be asked, or where somebody has. */
function isAsked({ CI, TEST_INSTALL }: NodeJS.ProcessEnv): boolean {
  return CI === 'true' || TEST_INSTALL === '1'
}

/** Why nothing is installed: the machine is the user's, and tests change it only when asked to. Null when they may. */
export function refusalToInstall(
  { missing, does, isOfRoot }: Installed,
  environment: NodeJS.ProcessEnv = process.env,
  uid: number | undefined = process.getuid?.(),
): string | null {
  if (!isAsked(environment)) return `${missing}; TEST_INSTALL=1 npm test ${does}${isOfRoot ? ', as root' : ''}.`
  if (isOfRoot && uid !== 0)
    return `${missing}, and only root can install it: TEST_INSTALL=1 npm test ${does}, as root.`
  return null
}
