/** `id, name, email, phone, address, created_at` */
export type CustomerRow = readonly [
  id: string | null,
  name: string | null,
  email: string | null,
  phone: string | null,
  address: string | null,
  createdAt: string | null,
]

/** `id, customer_id, order_date, total_amount, status, last_updated` */
export type OrderRow = readonly [
  id: string,
  customerId: string | null,
  orderDate: string,
  totalAmount: string | null,
  status: string,
  lastUpdated: string,
]
