/** Whether this is `npm run test:long`: suites that have a short and a long form run the long one. */
export const long: boolean = process.env.DRAY_LONG === '1'
