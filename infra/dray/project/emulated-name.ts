/** The environment that every project has: on an emulator of AWS, with the databases of this machine. */
export const EMULATED = 'emulated'
