import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { type ServedDev, startDev } from './browser.ts'
import { openShop } from './shop.ts'

describe('the server of dray dev', () => {
  let shop: ReturnType<typeof openShop>
  let dev: ServedDev

  before(async () => {
    shop = openShop()
    dev = await startDev(shop)
  })
  after(async () => {
    await dev?.stop()
    shop?.remove()
  })

  function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
    return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
      const asked = request(`${dev.origin}${path}`, { method, headers }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (part) => {
          body += part
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      })
      asked.on('error', reject).end(method === 'POST' ? '{"kind":"run","name":"nightly"}' : undefined)
    })
  }
  const signed = () => ({ authorization: `Bearer ${dev.token}` })

  test('answers on 127.0.0.1 alone', () => {
    assert.equal(new URL(dev.origin).hostname, '127.0.0.1')
  })

  test('refuses a foreign Host, by whatever name it is asked', async () => {
    for (const host of ['shop.example', `shop.example:${new URL(dev.origin).port}`, '127.0.0.1', '127.0.0.1:1']) {
      const { status, body } = await ask('/', { host })

      assert.equal(status, 421, host)
      assert.doesNotMatch(body, /script/)
    }
  })

  test('refuses a foreign Origin, and what a page of another site asks', async () => {
    for (const headers of [{ origin: 'http://shop.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      assert.equal((await ask('/api/runs', { ...signed(), ...headers })).status, 403)
      assert.equal((await ask('/api/commands', { ...signed(), ...headers }, 'POST')).status, 403)
    }
  })

  test('gives no row, and starts no run, without the token', async () => {
    for (const authorization of ['', 'Bearer ', `Bearer ${dev.token}x`, dev.token]) {
      assert.equal((await ask('/api/runs', { authorization })).status, 401)
      assert.equal((await ask('/api/commands', { authorization }, 'POST')).status, 401)
      assert.equal((await ask('/events', { authorization }, 'POST')).status, 401)
    }
    assert.deepEqual(JSON.parse((await ask('/api/runs', signed())).body).runs, [])
  })

  test('has nothing kept, and no script or style but its own run', async () => {
    for (const path of ['/', '/page.js', '/api/place', '/none']) {
      const { headers } = await ask(path, signed())

      assert.equal(headers['cache-control'], 'no-store', path)
      const policy = String(headers['content-security-policy'])
      assert.match(policy, /default-src 'none'/)
      assert.doesNotMatch(policy, /unsafe|http|\*/)
    }
  })

  test('refuses what is no command of its list, with the reason', async () => {
    const asked = (document: object) =>
      fetch(`${dev.origin}/api/commands`, { method: 'POST', headers: signed(), body: JSON.stringify(document) })

    for (const document of [
      {},
      { kind: 'deploy' },
      { kind: 'run', name: '--help' },
      { kind: 'run', name: 'x', env: 'y' },
    ]) {
      const answer = await asked(document)

      assert.equal(answer.status, 400, JSON.stringify(document))
      assert.match(((await answer.json()) as { error: string }).error, /Nothing was done/)
    }
  })

  test('says which port is taken, and the command that takes another one', async () => {
    const { port } = new URL(dev.origin)

    await assert.rejects(startDev(shop, '--port', port), new RegExp(`port ${port} .* --port ${Number(port) + 1}`))
  })
})
