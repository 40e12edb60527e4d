import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutComments } from 'dray/internal/active-record/sql-comments.ts'

test('comments go, and leave a blank; what only looks like one stays', () => {
  for (const [given, left] of [
    ["select 1 -- it's one\n, 2", 'select 1  \n, 2'],
    ['select a/* "b */from t --', 'select a from t  '],
    ["select '--', \"/* a */\", `-- b`, 'it''s -- c'", "select '--', \"/* a */\", `-- b`, 'it''s -- c'"],
    ['/* a\n * b **/ select 2 / 3', '  select 2 / 3'],
    ["select '-- a' -- 'b", "select '-- a'  "],
    ["select '\\d+' -- b", "select '\\d+'  "],
  ] as const) {
    assert.equal(withoutComments(given), left)
  }
})

test('a comment that not every engine takes for one is left, and all of them where quotes may differ', () => {
  for (const sql of [
    'select 5--3',
    'select /*! 1 */ 2',
    'select /*+ hash */ 2',
    'select /* a /* b */ c */ 2',
    "select 'it\\'s -- a', 2 -- b",
    'select $$ -- a $$ -- b',
    'select 1 # a',
  ]) {
    assert.equal(withoutComments(sql), sql)
  }
})
