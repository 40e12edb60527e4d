import * as z from 'zod'

type Unchanging<T> = T extends readonly (infer Item)[]
  ? readonly Unchanging<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Unchanging<T[Key]> }
    : T

/** What travels as a schema says: nobody changes it on the way. */
export type Message<Schema extends z.ZodType> = Unchanging<z.output<Schema>>

/** The same as its sender writes it, before defaults: keys that are not said are missing, or undefined. */
export type Written<Schema extends z.ZodType> = Unchanging<z.input<Schema>>

const MOST_CHARACTERS = 2_000

/** What a schema makes of a value from outside, or what is wrong with it: in one line, of bounded length. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): { readonly data: z.output<Schema> } | { readonly fault: string } {
  try {
    const { data, error } = schema.safeParse(value)
    if (error === undefined) return { data }
    return { fault: z.prettifyError(error).replaceAll('\n', ' ').slice(0, MOST_CHARACTERS).toWellFormed() }
  } catch (error) {
    // It compares the `length` of an object where a list is due, and that may be anything.
    if (!(error instanceof TypeError)) throw error
    return { fault: 'an object with a length stands where a list is due' }
  }
}
