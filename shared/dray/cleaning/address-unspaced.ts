type Parts = Readonly<Record<'line' | 'city' | 'state' | 'postalCode' | 'country' | 'countryCode', string | null>>

const JAPAN =
  /^(?:(日本)[\s、,]*)?〒?\s*(\d{3}-?\d{4})?\s*(東京都|北海道|(?:京都|大阪)府|\p{Script=Han}{2,3}県)([^\d\s]{1,6}?[市区町村])(.*)$/u
const CHINA =
  /^(?:(中国|中华人民共和国)[\s,，]*)?(\p{Script=Han}{2,3}省|\p{Script=Han}{2,8}自治区)?(\p{Script=Han}{2,5}?市)(.*?)(?:\s*[,，]?\s*(\d{6}))?$/u
const KOREA =
  /^(\p{Script=Hangul}{2,}(?:특별시|광역시|특별자치시))\s+(.*?)(?:\s*[,(]?\s*(\d{5})\)?)?(?:\s*,?\s*(대한민국|한국))?$/u

const orNull = (text: string | undefined) => text?.trim() || null

/** An address of Japan, China or Korea as it is written there: from the country down to the house, without commas. */
export function unspacedAddress(text: string): Parts | null {
  const [, japan, code, prefecture, town, rest] = JAPAN.exec(text) ?? []
  if (prefecture !== undefined) {
    return {
      line: orNull(rest),
      city: orNull(town),
      state: prefecture,
      postalCode: orNull(code),
      country: orNull(japan),
      countryCode: 'JP',
    }
  }
  const [, china, province, city, line, postalCode] = CHINA.exec(text) ?? []
  if (city !== undefined && (province !== undefined || postalCode !== undefined || china !== undefined)) {
    return {
      line: orNull(line),
      city,
      state: orNull(province),
      postalCode: orNull(postalCode),
      country: orNull(china),
      countryCode: 'CN',
    }
  }
  const [, metropolis, street, number, korea] = KOREA.exec(text) ?? []
  if (metropolis === undefined) return null
  return {
    line: orNull(street),
    city: metropolis,
    state: null,
    postalCode: orNull(number),
    country: orNull(korea),
    countryCode: 'KR',
  }
}
