import { TerminalError } from '#dray/errors.ts'

/** A reading met a row that is larger than it was to hold; whoever reads leaves the large values out then. */
export class RowTooLarge extends TerminalError {
  constructor(database: string, bytes: number, options?: ErrorOptions) {
    super(
      `A row of database ${database} is larger than the ${bytes} bytes that were to be held, so the reading was stopped; nothing of it was kept`,
      options,
    )
  }
}
