import { CSPProvider } from '@base-ui/react/csp-provider'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { createRoot } from 'react-dom/client'
import { startTheme } from './app/theme'
import { client, router } from './router'
import './styles.css'

startTheme()
const root = document.getElementById('root')
if (root)
  createRoot(root).render(
    // The server's policy admits no style element: Base UI is told to make none.
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </CSPProvider>,
  )
