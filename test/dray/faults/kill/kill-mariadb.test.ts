import { killSuite } from './kill-suite.ts'

killSuite('mariadb')
