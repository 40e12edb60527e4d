import { dateOf, fullLoad, pipeline, upsert } from 'dray'
import { cleanEmail, cleanPhone, cleanText, parseAddress, parseDate } from 'dray/cleaning'
import { SourceCustomer } from '#models/crm.ts'
import { TargetCustomer } from '#models/warehouse.ts'

/**
 * Customers of the CRM, cleaned: what is wrong with a value is a finding, what is wrong with a row sends it to the
 * quarantine.
 */
export const customers = pipeline('customers', {
  extract: fullLoad(SourceCustomer),
  transform: (customer, row) => {
    const id = customer.id
    if (id === null || id <= 0n) return row.reject('id', 'missing', 'a customer needs a positive id')
    const fullName = cleanText(customer.name)
    if (fullName === null) return row.reject('name', 'missing', 'a customer needs a name')
    const email = cleanEmail(customer.email)
    const address = parseAddress(customer.address)
    const phone = cleanPhone(customer.phone, address.countryCode)
    const created = parseDate(customer.createdAt, { field: 'createdAt' })
    for (const finding of [email.finding, phone.finding, created.finding, ...address.findings]) {
      if (finding !== null) row.finding(finding.field, finding.code, finding.message)
    }
    return {
      id,
      fullName,
      email: email.value,
      phone: phone.value,
      addressLine: address.line,
      city: address.city,
      state: address.state,
      postalCode: address.postalCode,
      createdDate: created.value === null ? null : dateOf(created.value),
    }
  },
  load: upsert(TargetCustomer, { by: 'id' }),
})
