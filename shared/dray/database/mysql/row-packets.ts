import { TerminalError } from '#dray/errors.ts'

/** A row where the socket put it: each value behind its length. https://mariadb.com/kb/en/resultset-row/ */
interface RowPacket {
  readonly buffer: Buffer
  readonly offset: number
  readonly end: number
  isEOF(): boolean
}

/**
 * What mysql2's command of a query has, but its types do not name: `row` is called for each packet of a row and for
 * their end.
 */
interface RowCommand {
  row?(packet: RowPacket, connection: unknown): unknown
}

/**
 * Has mysql2 hand over the packets of the rows of a query instead of strings of their values, which cost more than all
 * the rest.
 */
export function takeRowPackets(command: object, take: (bytes: Buffer, from: number, to: number) => void): void {
  const { row } = command as RowCommand
  if (row === undefined) throw new TerminalError('This version of mysql2 reads rows in another way. Install 3.24.6.')
  const takeRow = (packet: RowPacket, connection: unknown): unknown => {
    if (packet.isEOF()) return row.call(command, packet, connection)
    take(packet.buffer, packet.offset, packet.end)
    return takeRow
  }
  ;(command as RowCommand).row = takeRow
}
