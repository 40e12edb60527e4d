import { ConfigurationError } from '#dray/errors.ts'

/**
 * What becomes of columns of the source that its model does not know: they stay where they are (`'fixed'`), or each run
 * takes them over into the target and adds the column there where it is missing (`'follow'`), but for some of them.
 */
export type ColumnsOption = 'fixed' | 'follow' | { readonly follow: true; readonly except: readonly string[] }

/** The option, made out. */
export interface FollowedColumns {
  readonly areFollowed: boolean
  /** Columns of the source that are never taken over, in the source's own spelling. */
  readonly except: readonly string[]
}

/** Makes the option out. Throws `Configuration` where the contract allows no new column. */
export function followedColumnsOf(
  name: string,
  option: ColumnsOption | undefined,
  contract: string | undefined,
): FollowedColumns {
  const areFollowed = option !== undefined && option !== 'fixed'
  if (areFollowed && contract === 'freeze') {
    throw new ConfigurationError(
      `pipeline('${name}'): columns: 'follow' takes new columns over, and contract: 'freeze' stops the run at each of them, so no run with one would ever end; leave one of the two out`,
    )
  }
  return { areFollowed, except: typeof option === 'object' ? option.except : [] }
}
