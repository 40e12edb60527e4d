import type * as z from 'zod'

type Unchanging<T> = T extends readonly (infer Item)[]
  ? readonly Unchanging<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Unchanging<T[Key]> }
    : T

/** What travels as a schema says: nobody changes it on the way. */
export type Message<Schema extends z.ZodType> = Unchanging<z.output<Schema>>

/** The same as its sender writes it, before defaults: keys that are not said are missing, or undefined. */
export type Written<Schema extends z.ZodType> = Unchanging<z.input<Schema>>
