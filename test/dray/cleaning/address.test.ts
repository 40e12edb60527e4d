import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from 'dray/internal/cleaning/address.ts'
import fc from 'fast-check'
import { iso31662 } from 'iso-3166'

type Parts = readonly [
  line: string | null,
  city: string | null,
  state: string | null,
  postalCode: string | null,
  country: string | null,
]

function partsOf(raw: string | null): Parts {
  const { line, city, state, postalCode, country } = parseAddress(raw)
  return [line, city, state, postalCode, country]
}

const addresses: Readonly<Record<string, Parts>> = {
  'Av. Brigadeiro Faria Lima, 2170, São José dos Campos, SP 12227-000, Brazil': [
    'Av. Brigadeiro Faria Lima, 2170',
    'São José dos Campos',
    'SP',
    '12227-000',
    'Brazil',
  ],
  '1498 rue Bélanger, Montréal, QC H2G 1A7, Canada': ['1498 rue Bélanger', 'Montréal', 'QC', 'H2G 1A7', 'Canada'],
  'Mannerheimintie 1, Helsinki, 00100': ['Mannerheimintie 1', 'Helsinki', null, '00100', null],
  'Theodor-Heuss-Straße 34, Stuttgart, 70174, Germany': [
    'Theodor-Heuss-Straße 34',
    'Stuttgart',
    null,
    '70174',
    'Germany',
  ],
  'Theodor-Heuss-Straße 34, 70174 Stuttgart Germany': [
    'Theodor-Heuss-Straße 34',
    'Stuttgart',
    null,
    '70174',
    'Germany',
  ],
  'Königstr. 1, Stuttgart, 70174, DE': ['Königstr. 1', 'Stuttgart', null, '70174', 'DE'],
  '123 Main St Apt 4B, Springfield, IL 62704': ['123 Main St Apt 4B', 'Springfield', 'IL', '62704', null],
  '123 Main St, Apt 4B, New York, New York 10001, USA': ['123 Main St, Apt 4B', 'New York', 'New York', '10001', 'USA'],
  '123 Main St Springfield IL 62704': ['123 Main St', 'Springfield', 'IL', '62704', null],
  '123 main st, springfield, il 62704, usa': ['123 main st', 'springfield', 'IL', '62704', 'usa'],
  '1 Rd, Charlotte, North Carolina 28202': ['1 Rd', 'Charlotte', 'North Carolina', '28202', null],
  '12 High St, Boston, MA 02113, U.S.A.': ['12 High St', 'Boston', 'MA', '02113', 'U.S.A.'],
  '1600 Pennsylvania Ave NW, Washington, D.C. 20500': ['1600 Pennsylvania Ave NW', 'Washington', 'D.C.', '20500', null],
  '120 S Orange Ave, Orlando, FL 32801': ['120 S Orange Ave', 'Orlando', 'FL', '32801', null],
  '12 Foo Rd, Fort Washington 19034': ['12 Foo Rd', 'Fort Washington', null, '19034', null],
  '5 Peachtree St, Atlanta, Georgia': ['5 Peachtree St', 'Atlanta', 'Georgia', null, null],
  '12 Rustaveli Ave, Tbilisi, 0105, Georgia': ['12 Rustaveli Ave', 'Tbilisi', null, '0105', 'Georgia'],
  '1 Plaza Rd, Santa Fe, New Mexico': ['1 Plaza Rd', 'Santa Fe', 'New Mexico', null, null],
  'Dover, DE': [null, 'Dover', 'DE', null, null],
  'PO Box 12, Smallville': ['PO Box 12', 'Smallville', null, null, null],
  'Hauptstraße 5': ['Hauptstraße 5', null, null, null, null],
  'Main Street': ['Main Street', null, null, null, null],
  Helsinki: [null, 'Helsinki', null, null, null],
  Finland: [null, null, null, null, 'Finland'],
  '00100': [null, null, null, '00100', null],
  '202 Hoxton Street, London, N1 5LH, United Kingdom': [
    '202 Hoxton Street',
    'London',
    null,
    'N1 5LH',
    'United Kingdom',
  ],
  '10 Downing St., London SW1A 2AA.': ['10 Downing St.', 'London', null, 'SW1A 2AA', null],
  '1 High St, Guildford, Surrey, GU1 1AA, UK': ['1 High St', 'Guildford', 'Surrey', 'GU1 1AA', 'UK'],
  '3 Chatham Street, Dublin, Ireland': ['3 Chatham Street', 'Dublin', null, null, 'Ireland'],
  '3 Chatham Street, Dublin 2, Ireland': ['3 Chatham Street', 'Dublin 2', null, null, 'Ireland'],
  'Apt 5, 12 Main St, Dublin, D02 X285, Ireland': ['Apt 5, 12 Main St', 'Dublin', null, 'D02 X285', 'Ireland'],
  '8, Rue Hanovre, 75002 Paris, France': ['8, Rue Hanovre', 'Paris', null, '75002', 'France'],
  '939, avenue de l’Opéra': ['939, avenue de l’Opéra', null, null, null, null],
  'Storgatan 5 lgh 1101, SE-112 30 Stockholm, Sverige': [
    'Storgatan 5 lgh 1101',
    'Stockholm',
    null,
    'SE-112 30',
    'Sverige',
  ],
  'Storgatan 5 lgh 1101': ['Storgatan 5 lgh 1101', null, null, null, null],
  'Damrak 1, 1012 LG Amsterdam, Nederland': ['Damrak 1', 'Amsterdam', null, '1012 LG', 'Nederland'],
  'Via Roma 1, 00192 Roma (RM), Italia': ['Via Roma 1', 'Roma', 'RM', '00192', 'Italia'],
  'Via Roma 1, 00192 Roma RM': ['Via Roma 1', 'Roma', 'RM', '00192', null],
  'ul. Długa 5/7, 00-238 Warszawa, Polska': ['ul. Długa 5/7', 'Warszawa', null, '00-238', 'Polska'],
  'Rua X, 155, São Paulo, Brazil': ['Rua X, 155', 'São Paulo', null, null, 'Brazil'],
  'SQS 308, Bloco B, Brasília, DF': ['SQS 308, Bloco B', 'Brasília', 'DF', null, null],
  '421 Bourke Street, Sydney NSW 2010, Australia': ['421 Bourke Street', 'Sydney', 'NSW', '2010', 'Australia'],
  'MG Road 5, Bengaluru, Karnataka 560001, India': ['MG Road 5', 'Bengaluru', 'Karnataka', '560001', 'India'],
  '10 Anson Road, Singapore': ['10 Anson Road', 'Singapore', null, null, 'Singapore'],
  '4 Rue X, Luxembourg, Luxembourg': ['4 Rue X', 'Luxembourg', null, null, 'Luxembourg'],
  '1 Some Way, 70174 Stuttgart, Germany, Germany': ['1 Some Way', 'Stuttgart', null, '70174', 'Germany'],
  ' ,, 123 Main St ,, Apt 4B ,,, Springfield , IL   62704,,': [
    '123 Main St, Apt 4B',
    'Springfield',
    'IL',
    '62704',
    null,
  ],
  '123 Main St\r\nApt 4B\nSpringfield, IL 62704\nUSA': ['123 Main St, Apt 4B', 'Springfield', 'IL', '62704', 'USA'],
}

for (const [raw, parts] of Object.entries(addresses)) {
  test(`parseAddress splits ${JSON.stringify(raw)}`, () => {
    assert.deepEqual(partsOf(raw), parts)
  })
}

test('parseAddress gives nothing of a missing address', () => {
  for (const missing of [null, '', '  ', ' , ,\n', '\u200b'])
    assert.deepEqual(partsOf(missing), [null, null, null, null, null])
})

test('parseAddress names the country by its code where it is written or leaves no doubt', () => {
  const code = (raw: string) => parseAddress(raw).countryCode

  assert.equal(code('Theodor-Heuss-Straße 34, Stuttgart, 70174, Deutschland'), 'DE')
  assert.equal(code('1 Main St, Springfield, IL 62704'), 'US')
  assert.equal(code('1 High St, London N1 5LH'), 'GB')
  assert.equal(code('10 Anson Road, Singapore 079903'), 'SG')
  assert.equal(code('Mannerheimintie 1, Helsinki, 00100'), null)
})

test('parseAddress knows every state, province and territory of four countries by code and by name', () => {
  const samples = {
    US: ['62704', 'USA', 'Salt Lake City', 'St. Louis'],
    CA: ['H2G 1A7', 'Canada', 'Thunder Bay', 'St. Catharines'],
    AU: ['2010', 'Australia', 'Alice Springs', 'Coffs Harbour'],
    BR: ['12227-000', 'Brasil', 'São José dos Campos', 'Foz do Iguaçu'],
  } as const
  for (const { code, name } of iso31662) {
    const sample = samples[code.slice(0, 2) as keyof typeof samples]
    if (!sample) continue
    const [postalCode, country, city, other] = sample
    for (const state of [code.slice(3), name]) {
      for (const line of ['12 Main St', '12 Main St, Suite 200', 'PO Box 12']) {
        assert.deepEqual(partsOf(`${line}, ${city}, ${state} ${postalCode}, ${country}`), [
          line,
          city,
          state,
          postalCode,
          country,
        ])
        assert.deepEqual(partsOf(`${line}, ${other}, ${state} ${postalCode}`), [line, other, state, postalCode, null])
        assert.deepEqual(partsOf(`${line}, ${other}, ${state}, ${country}`), [line, other, state, null, country])
      }
    }
  }
})

test('parseAddress says where a city stands that nothing makes sure of', () => {
  for (const raw of [
    "Hong Kong, Central, 1 Queen's Road",
    'Monaco, 1 Avenue X',
    '1051 Budapest, Széchenyi tér 1',
    '31-154 Kraków',
    'FIN-00100 Helsinki',
  ]) {
    const { line, city, findings } = parseAddress(raw)

    assert.deepEqual([line, city, findings.map(({ code }) => code)], [raw, null, ['ambiguous']])
  }
  assert.deepEqual(parseAddress('Apt 4B, 350 5th Ave').findings, [])
})

test('parseAddress keeps a postal code that is not of the form of its country, and says so', () => {
  const { postalCode, findings } = parseAddress('69 Salem Street, Boston, MA 2113, USA')

  assert.equal(postalCode, '2113')
  assert.deepEqual(partsOf('Rua da Paz 4, Porto, 4350, Portugal'), ['Rua da Paz 4', 'Porto', null, '4350', 'Portugal'])
  assert.deepEqual(
    findings.map(({ field, code }) => ({ field, code })),
    [{ field: 'postalCode', code: 'unusual' }],
  )
  assert.deepEqual(parseAddress('69 Salem Street, Boston, MA 02113, USA').findings, [])
})

const ofOthers: readonly (readonly [
  raw: string,
  given: string,
  city: string,
  postalCode: string | null,
  code: string,
])[] = [
  ['Rue du Rhône 8, CH-1204 Genève', 'DE', 'Genève', 'CH-1204', 'CH'],
  ['Getreidegasse 9, A-5020 Salzburg', 'DE', 'Salzburg', 'A-5020', 'AT'],
  ['Avenyn 21, SE-411 36 Göteborg', 'DE', 'Göteborg', 'SE-411 36', 'SE'],
  ['Coolsingel 40, 3011 AD Rotterdam', 'DE', 'Rotterdam', '3011 AD', 'NL'],
  ['Damrak 1, 1012 LG Amsterdam', 'BE', 'Amsterdam', '1012 LG', 'NL'],
  ['10 Downing Street, London SW1A 2AA', 'US', 'London', 'SW1A 2AA', 'GB'],
  ['建国门 1, 北京 100006 中国', 'DE', '北京', '100006', 'CN'],
]

for (const [raw, given, city, postalCode, code] of ofOthers) {
  test(`parseAddress reads ${raw} as of ${code}, though ${given} is given`, () => {
    const address = parseAddress(raw, given)

    assert.deepEqual(
      { city: address.city, postalCode: address.postalCode, code: address.countryCode, findings: address.findings },
      { city, postalCode, code, findings: [] },
    )
  })
}

const against: readonly (readonly [raw: string, given: string])[] = [
  ['Masarykova 12, 602 00 Brno', 'DE'],
  ['Masarykova 12, 60200 Brno', 'DE'],
  ['Ερμού 15, 105 63 Αθήνα', 'DE'],
  ['Ermou 15, 105 63 Athen', 'DE'],
  ['Via Roma 1, 00192 Roma', 'DE'],
  ['Stephansplatz 1, 1010 Wien', 'DE'],
  ['Hauptstr. 5, 70174 Stuttgart', 'FR'],
  ['123 Main St, Springfield, IL 62704', 'DE'],
  ['100 Queen St W, Toronto, ON', 'US'],
  ['Bahnhofstr. 3, Zürich', 'DE'],
]

for (const [raw, given] of against) {
  test(`parseAddress says that ${raw} stands against the country ${given}, and names none`, () => {
    const { countryCode, findings } = parseAddress(raw, given)

    assert.equal(countryCode, null)
    assert.deepEqual(
      findings.map(({ field, code }) => ({ field, code })),
      [{ field: 'country', code: 'contradiction' }],
    )
  })
}

test('parseAddress takes the country that is given where a city of the name is elsewhere, too', () => {
  const code = (raw: string, given: string) => parseAddress(raw, given).countryCode

  assert.equal(code('Hauptstr. 5, 53545 Linz', 'DE'), 'DE')
  assert.equal(code('Calle Mayor 3, 10200 Trujillo', 'ES'), 'ES')
  assert.equal(code('5 Main St, Berlin, NH 03570', 'US'), 'US')
  assert.equal(code('5 Main St, Oxford 7430', 'NZ'), 'NZ')
})

test('parseAddress makes no city of a region that is cut short', () => {
  const regions = [
    'Московская обл.',
    'Київська обл.',
    'обл. София',
    'Pcia. de Buenos Aires',
    'Bs. As.',
    'Αττική',
    'Dist. Thane',
    'okr. Senec',
    'Edo. Méx.',
    'Prov. Milano',
    'Стрийський р-н',
  ]
  for (const region of regions) {
    const { city, findings } = parseAddress(`Elm 5, Xyzzy, ${region}, 151220`)

    assert.ok(city === 'Xyzzy' || (city === null && findings[0]?.code === 'ambiguous'), `${region}: ${city}`)
  }
})

test('parseAddress never throws, invents nothing and loses no letter', () => {
  const word = fc.constantFrom(
    '12',
    'Main',
    'St',
    'Apt',
    '4B',
    'New',
    'York',
    'IL',
    '62704',
    'USA',
    ',',
    ', ',
    '\n',
    'Germany',
    'Straße',
    'H2G',
    '1A7',
    '.',
    'DE',
    'Georgia',
    '#',
    '’s',
  )
  const texts = fc.oneof(
    fc.array(word).map((words) => words.join(' ')),
    fc.string({ unit: 'binary' }),
    fc.string(),
  )
  const letters = (text: string) =>
    [...text.normalize('NFC').toUpperCase()]
      .filter((sign) => /[\p{L}\p{N}]/u.test(sign))
      .sort()
      .join('')
  fc.assert(
    fc.property(texts, (raw) => {
      const parts = partsOf(raw)

      const found = letters(parts.join(''))
      // A country that is written twice, or is the city, too, is given once or twice.
      const country = letters(parts[4] ?? '')
      const written = letters(raw.normalize('NFC'))
      assert.ok(country !== '' || found === written, JSON.stringify([raw, parts]))
      for (const part of parts) assert.ok(part === null || part.trim() === part)
    }),
    { numRuns: 3000 },
  )
})
