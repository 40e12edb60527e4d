declare module 'asl-validator' {
  /** Adds a QueryLanguage to every state of the definition. */
  export default function validate(definition: object): { readonly isValid: boolean; errorsText(): string }
}
