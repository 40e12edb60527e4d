import type { Notice } from '#dray/messages/notice.ts'

const signs: Readonly<Record<Notice['what'], string>> = {
  failed: ':red_circle: Failed',
  schema_changed: ':red_circle: A table has changed',
  quarantine: ':red_circle: Too many rows in quarantine',
  checks: ':red_circle: Checks do not hold',
  recovered: ':large_green_circle: Recovered',
  new_columns: ':large_blue_circle: New columns',
  differences: ':large_yellow_circle: Source and target differ',
  late: ':large_yellow_circle: Late',
  alarm: ':large_yellow_circle: Alarm',
  over: ':large_green_circle: Over',
}

/** Of a text in a block: https://docs.slack.dev/reference/block-kit/blocks/section-block */
const MOST_CHARACTERS = 3_000
const CUT = ' …'

/**
 * A notice as a message of an incoming webhook:
 * https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
 */
export function slackMessage({ what, summary, run, steps, owner, reason, command, link }: Notice): object {
  const named = (who: string | undefined) => (who === undefined ? '' : ` (${escaped(who)})`)
  const reasons = [
    ...steps.map(
      ({ step, status, reason: why, owner: who }) =>
        `• *${escaped(step)}*${named(who)} ${status}${why ? `: ${escaped(why)}` : ''}`,
    ),
    ...(reason === null || steps.some(({ reason: why }) => why !== null) ? [] : [escaped(reason)]),
  ]
  const next = [`\`${escaped(command)}\``, ...(link === null ? [] : [`<${link}|Console>`])]
  return {
    text: `${signs[what]}: ${escaped(summary)}`,
    blocks: [
      section(`*${signs[what]}*\n${escaped(summary)}${named(owner)}${run === null ? '' : `\nRun \`${escaped(run)}\``}`),
      ...(reasons.length === 0 ? [] : [section(reasons.join('\n'))]),
      section(next.join('   ')),
    ],
  }
}

function section(text: string): object {
  const fits = text.length <= MOST_CHARACTERS
  const shown = fits ? text : `${text.slice(0, MOST_CHARACTERS - CUT.length).toWellFormed()}${CUT}`
  return { type: 'section', text: { type: 'mrkdwn', text: shown } }
}

/** https://docs.slack.dev/messaging/formatting-message-text */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
