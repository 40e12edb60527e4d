/** SQLite has no hash function. */
export const digests = null
