import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { clone } from '#test/projects/clone.ts'
import { type Desk, desk, PageFollower } from './follow-page.ts'

describe('docs/tutorial.md', () => {
  let place: Desk
  let page: PageFollower
  before(async () => {
    place = await desk()
    await rename(await clone(), join(place.folder, 'dray'))
    page = new PageFollower('docs/tutorial.md', place, join(place.folder, 'dray'))
  })
  after(async () => {
    await page.close()
    await place.remove()
  })

  test('leads a new user through, and prints what it shows', async () => {
    for (const heading of page.headings) await page.follow(heading)
  })

  test('has code that the compiler and the linter take', async () => assert.equal(await page.fault(), ''))
})
