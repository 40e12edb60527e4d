/** Whether a decimal is a double, or reads as the nearest one is written: `0.1`, and not `1e400` or `1e-400`. */
export function isDouble(decimal: string): boolean {
  return significant(String(Number(decimal))) === significant(decimal)
}

/** Digits and exponent without leading and trailing zeros: `1.50e3` and `1500` are the same. */
function significant(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().replace(/^\+/, '').split('e')
  const sign = mantissa.startsWith('-') ? '-' : ''
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.')
  const all = `${whole}${fraction}`
  const leading = all.length - all.replace(/^0+/, '').length
  const digits = all.slice(leading).replace(/0+$/, '')
  return digits === '' ? '0' : `${sign}${digits}e${Number(exponent) + whole.length - leading}`
}
