import { onEachMergeEngine } from '#test/contracts/merge-engines.ts'
import { spellings } from '#test/contracts/spellings.ts'

onEachMergeEngine('spellings of a key', spellings)
