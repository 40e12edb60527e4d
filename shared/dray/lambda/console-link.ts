/** https://docs.aws.amazon.com/general/latest/gr/rande.html */
const domains: Readonly<Record<string, string>> = {
  'aws-cn': 'console.amazonaws.cn',
  'aws-us-gov': 'console.amazonaws-us-gov.com',
}

/** The page of the console about an execution or an alarm; null of an ARN of something else. */
export function consoleLink(arn: string): string | null {
  const [, partition = '', service, region = '', , kind, ...name] = arn.split(':')
  const base = `https://${region}.${domains[partition] ?? 'console.aws.amazon.com'}`
  if (service === 'states' && kind === 'execution') {
    return `${base}/states/home?region=${region}#/v2/executions/details/${encodeURIComponent(arn)}`
  }
  if (service === 'cloudwatch' && kind === 'alarm') {
    return `${base}/cloudwatch/home?region=${region}#alarmsV2:alarm/${encodeURIComponent(name.join(':'))}`
  }
  return null
}
