/** Of the code: the second deployment has the next one, and loads what the first one rejects. */
export const VERSION: number = 1
