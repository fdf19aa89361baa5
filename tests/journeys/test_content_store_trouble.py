"""A content store that is away: an alarm that says so, while everything without contents goes on."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.journeys.far import free_port


def test_a_node_serves_while_its_content_store_is_away(journey: Callable[..., Any]) -> None:
    away = f'[mms]\nstore = "s3://bucket"\ns3_endpoint = "http://127.0.0.1:{free_port()}"\n'
    key = 's3_access_key_id = "the-key"\ns3_secret_access_key = "its-s3cret"\n'

    async def run() -> None:
        async with journey(number="913", more=away + key) as j:
            async with asyncio.timeout(20):
                while True:
                    _status, metrics = await j.node.get("/metrics")
                    if 'homing_alarm{alarm="contents_unavailable"} 1.0' in metrics:
                        break
                    await asyncio.sleep(0.05)
            assert (await j.node.get("/readyz"))[0] == 200
            status, _smsid = await j.node.get(
                "/SMSSend?user=acme&pass=journey&smsto=447931123456&smsfrom=913&smsmsg=Hello&report=7"
            )
            assert status == 200
            await j.receiver.until(lambda r: len(r.pushes) == 1)
            log = j.node.log.read_text()
            assert "the S3 service does not answer" in log
            assert "the-key" not in log
            assert "its-s3cret" not in log

    asyncio.run(run())
