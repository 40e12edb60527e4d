import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge'

let client: EventBridgeClient | null = null

/** Puts one event; returns why the bus did not take it, or null. Imported on demand: it brings a client of the SDK. */
export async function putEvent(entry: PutEventsRequestEntry): Promise<string | null> {
  client ??= new EventBridgeClient()
  try {
    const { Entries } = await client.send(new PutEventsCommand({ Entries: [entry] }))
    return Entries?.[0]?.ErrorMessage ?? null
  } catch (error) {
    const { message, name } = error as Error
    return message || name
  }
}
