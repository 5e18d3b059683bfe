from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from invoiceapp.demo.billy.server import serve

TOKEN = {"X-Access-Token": "secret"}


@pytest.mark.server
def test_the_stand_in_answers_on_a_free_port_until_it_is_closed(company):
    server = serve("127.0.0.1", 0, company, "secret")
    try:
        invoices = requests.get(f"{server.url}/invoices", headers=TOKEN, params={"pageSize": 2}, timeout=5).json()
        url = invoices["invoices"][0]["downloadUrl"]
        assert url.startswith(f"{server.root}/download/")
        assert requests.get(url, timeout=5).content.startswith(b"%PDF-")
        assert requests.get(f"{server.url}/user", timeout=5).status_code == 401
        with ThreadPoolExecutor(4) as pool:
            posts = list(pool.map(lambda _: requests.post(f"{server.root}/_demo/book", timeout=5), range(8)))
        assert len({post.json()["invoice"]["invoiceNo"] for post in posts}) == 8
    finally:
        server.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/user", timeout=1)
