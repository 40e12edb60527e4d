/** esbuild takes it into the page's style sheet. */
declare module '*.css'
